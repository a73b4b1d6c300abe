"""The simulated short-axis cine: shapes, tissue, frames, the stack around them."""
