"""The engine: pure decisions beside small doers. It knows the contract and never a connector."""
