"""Many runs beside each other: methods, sizes of the student, the ANN twin; what each chooses for itself, and who is better by how much."""
