"""The dashboard: knows Textual, records and a `Gateway`; never SQL, never tensors.

State flows one way: timer or key, thread worker, gateway, frozen record, message, reactive, widget.
"""
