"""What is predicted, one room a kind of answer: `multiclass`."""
