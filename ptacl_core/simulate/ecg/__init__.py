"""The simulated 12-lead ECG: rhythm, waves, intervals, abnormal beats, lead faults."""
