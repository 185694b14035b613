"""The packages of an operator's pipelines: an environment for each set of them, in the data folder.

`main_holdmetrics py install|list|use|remove` runs `__main__`; `install` puts pip's steps together, `pip` runs
it, `folder` knows what lies where. src/host/environment.rs puts the current environment on the path.
"""
