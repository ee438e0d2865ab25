"""What is asked for: recipes, the modes, how unset values are filled in, and what is refused before anything is trained."""
