"""What passes between the app and its terminal: guards, watch, back pressure."""
