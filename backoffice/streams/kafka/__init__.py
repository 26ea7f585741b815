"""Kafka as the platform needs it: clients, the catalogue's topics on the cluster, a patient sender."""
