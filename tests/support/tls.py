"""Makes a certificate authority and certificates for tests."""

import subprocess

PAST = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")


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
        """A certificate and its key, for a server with this subjectAltName or for a client."""
        key, request, made = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "")
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", key, "-out", request, "-subj", f"/CN={name}",
        )
        dates = PAST if expired else ("-days", "2")
        _openssl(
            "ca", "-batch", "-notext", "-config", self._configuration(),
            "-in", request, "-out", made, "-extfile", extensions, *dates,
        )
        return made, key

    def _configuration(self):
        """Of `openssl ca`, which can backdate; `openssl x509` can only since 3.4."""
        index, file = self.folder / "index", self.folder / "ca.cnf"
        index.touch()
        file.write_text(
            f"[ca]\ndefault_ca = own\n[own]\ndatabase = {index}\nnew_certs_dir = {self.folder}\n"
            f"certificate = {self.file}\nprivate_key = {self.key}\nrand_serial = yes\n"
            "default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n"
        )
        return file
