"""What every bound is made of; knows no layer and no model."""
