"""Views: what records look like on a screen and on paper.

In    Results (from a run, or read back from a ledger), exact laws, registries
Out   rich tables; figures
Rule  nothing is simulated or estimated here; matplotlib and seaborn are imported here alone, and only when a figure is drawn
"""
