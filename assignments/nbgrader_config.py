"""nbgrader's configuration for the book's assignments; it serves a course of one's own.

A submission may hold anything, so it is executed cell by cell, and whatever one
cell does costs that cell only: after an error the next cell runs; a cell that
runs too long is interrupted; one that ends Python, or cannot be interrupted, is
counted as failed, and all the others run again without it.
"""

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute

c = get_config()  # noqa: F821 (nbgrader provides it)


class ExecuteEveryCell(Execute):
    """Execute all cells, also when one of them kills the kernel."""

    FAILED = "raise RuntimeError('This cell ended Python, or could not be stopped.')"

    def preprocess(self, nb, resources, km=None):
        killers = {}
        while True:
            try:
                nb, resources = super().preprocess(nb, resources, km)
                break
            except (DeadKernelError, CellTimeoutError):
                if self.running in killers:
                    raise
                killers[self.running] = nb.cells[self.running].source
                nb.cells[self.running].source = self.FAILED
        for index, source in killers.items():
            nb.cells[index].source = source
        return nb, resources

    def preprocess_cell(self, cell, resources, index):
        self.running = index
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.cell_type == "code":  # nbgrader gives no points after a mere warning
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        return cell, resources


c.CourseDirectory.course_id = "every_student_is_a_task"
c.Autograde.autograde_preprocessors = [
    ExecuteEveryCell if step is Execute else step
    for step in Autograde().autograde_preprocessors
]

c.Execute.timeout = 30  # seconds, for each cell
c.Execute.interrupt_on_timeout = True
c.Execute.iopub_timeout = 10  # seconds, for the outputs after an interrupt
# In a notebook exit() ends Python a little later, in some other cell.
EXIT = "globals().update(dict.fromkeys(('exit', 'quit'), __import__('sys').exit))"
c.Execute.extra_arguments = [f"--IPKernelApp.exec_lines={EXIT}"]
c.LimitOutput.max_lines = 200
