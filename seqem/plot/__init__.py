"""Pictures: functions from arrays to matplotlib Axes."""
