"""Ready configurations, one `NAME.toml` each; ``handrail.config`` lists and renders them."""
