"""The screens, one a file: each turns a frozen view into lines."""
