"""What a run tells while it goes on: its progress and its health, to a person or to a program, and what failed without ending it."""
