"""One file answers one question; results/ keeps the answers with machine, versions and commit."""
