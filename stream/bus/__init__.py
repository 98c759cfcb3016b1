"""What is published and how it is read: messages, publisher, subscriber."""
