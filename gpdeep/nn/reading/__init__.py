"""What a user's module holds: its operations in order, its activations, its weights, and what goes through them."""
