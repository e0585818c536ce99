"""An export in use: `inference` here, `server_client` there, `server_files`."""
