"""What is recorded of what people and operators do, and the statistics of it; never what they say."""
