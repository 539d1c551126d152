"""What finished runs say: the leaderboard, its statistics and the published rows beside it.

Contract: reads values that were handed over (records, files), never the database; no torch, and
scipy only where an interval needs it.
"""
