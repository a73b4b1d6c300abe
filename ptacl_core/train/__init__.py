"""What trains: one loop, its batches, optimizer, schedule, precision, processes and signals."""
