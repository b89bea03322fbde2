"""Measures what the server costs, beside other servers, on this machine: `python -m bench`.

docs/performance.md says how it is done and what came out.
"""
