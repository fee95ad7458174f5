"""Integer index expressions (`expr`) and movement operations as functions on them (`view`)."""
