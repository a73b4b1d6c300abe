"""Text and XML from strangers, made safe."""
