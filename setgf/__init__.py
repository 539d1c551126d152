"""SETGF: multimodal sentiment analysis, from the feature file to the comparison table.

Contract of the package: a module imports only from the layers below its own (checked by
import-linter), nothing happens at import, and only `setgf.model`, `setgf.training`, the batch half
of `setgf.data` and `setgf.worker.child` load torch.
"""

__version__ = "0.1.0"
