"""What surrounds the screens: actions, commands, messages, settings, session, themes."""
