"""Everything that is ComfyUI's: its saved formats, and how they become workflows."""
