"""One builder for each record type: values in, an event out; nothing here is random and nothing is checked twice.

A builder's values are named and typed as the fields of its Avro schema; a nullable field may be left out.
"""
