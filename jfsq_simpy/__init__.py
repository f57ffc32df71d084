"""jfsq_simpy: does a job have to wait?"""
