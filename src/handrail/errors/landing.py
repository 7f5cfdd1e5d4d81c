"""Errors around landing: ledgers that are shared, pushes, forges.

Apart from the others, so that an edit and a claim need not import them.
"""
