"""Certificates that the tests make: an authority, and what it certifies."""

import subprocess


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.file = folder / "ca.pem"
        self.key = folder / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", self.key, "-out", self.file, "-days", "2", "-subj", f"/CN={folder.name}",
        )

    def certify(self, name, alternative=None, expired=False):
        """A certificate and its key, for a server of this subjectAltName or for a client."""
        key, request, made = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "")
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", key, "-out", request, "-subj", f"/CN={name}",
        )
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-out", made,
            "-CAcreateserial", "-days", "-1" if expired else "2", "-extfile", extensions,
        )
        return made, key
