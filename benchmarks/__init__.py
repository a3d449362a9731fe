"""What Polyphony costs, side by side with others."""
