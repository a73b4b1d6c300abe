"""The steps of a beat: phases of ECG and cine against each other, and what is one patient's own."""
