"""For those who write plugins and those who install them: a beginning, a check, an installation."""
