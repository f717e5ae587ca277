"""`kerasseq runner` copies programs that run without the package."""

import subprocess

from kerasseq.__main__ import PROGRAMS, main


def test_the_copies_run_without_the_package(tmp_path, capsys, bare_python):
    assert main(["runner", str(tmp_path)]) == 0
    assert "generate.py" in capsys.readouterr().out
    names = {path.name for path in tmp_path.iterdir()}
    programs = {f"{name}.py" for name in PROGRAMS.values()}
    assert programs | {"CONTRACT.md"} <= names
    assert not names & {"__init__.py", "serve.py", "server.py", "request.py"}
    for name in sorted(programs):
        command = [bare_python, tmp_path / name, tmp_path / "none.tflite"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "none.tflite" in done.stderr
    assert main(["runner", str(tmp_path)]) == 0, "copying again is allowed"


def test_a_file_with_other_content_is_kept(tmp_path, capsys):
    (tmp_path / "show.py").write_text("print('mine')")
    assert main(["runner", str(tmp_path)]) == 2
    assert "show.py exists and differs" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["show.py"]
