"""The app in a browser on this machine: a guarded page, and apps that outlive its reload."""
