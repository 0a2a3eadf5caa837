"""The page About: model, data and licences."""
