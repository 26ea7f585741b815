"""Messages that could not be stored, and what a person does with them."""
