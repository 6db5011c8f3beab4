"""The commands of ``replication``, in modules by stage, and the options that they share."""
