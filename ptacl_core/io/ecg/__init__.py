"""Every ECG format → EcgRecord; `read` finds the format by content."""
