"""The servers that the crash test kills."""
