"""Files of any kind: whole or not at all, checked before they are opened; programs and packages beside ours."""
