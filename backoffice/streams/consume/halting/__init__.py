"""What stops a lane's partition, and how it goes on: breaker, halts, and a person's ways out of them."""
