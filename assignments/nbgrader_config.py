"""nbgrader's configuration for the book's assignments; it serves a course of one's own.

A submission may hold anything, so it is executed cell by cell, and whatever one
cell does costs that cell only: after an error the next cell runs; a cell that
the processor has worked on for too long is interrupted; one that ends Python, or
cannot be interrupted, is counted as failed, and all the others run again without it.

The clock on the wall takes no points: it runs as fast on a busy machine. A cell that
waits without working is interrupted in the end, too, but then the tests that failed
are left open, for a person, and the submission is named when all are graded.
"""

import atexit

import psutil
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute, SaveAutoGrades
from traitlets import Integer

c = get_config()  # noqa: F821 (nbgrader provides it)
OPEN = []  # submissions with tests that a person has to look at


@atexit.register
def name_the_open():
    """The last thing that `nbgrader autograde` says."""
    if OPEN:
        print("Some tests are left open, since a cell waited for too long:", *OPEN)


class ExecuteEveryCell(Execute):
    """Execute all cells, also when one of them kills the kernel."""

    FAILED = "raise RuntimeError('This cell ended Python, or could not be stopped.')"
    processor_seconds = Integer(60, help="of work on a cell").tag(config=True)
    clock_seconds = Integer(900, help="for a cell, work or wait").tag(config=True)

    def preprocess(self, nb, resources, km=None):
        killers = {}
        self.waited, self.overworked = set(), set()
        while True:
            try:
                nb, resources = super().preprocess(nb, resources, km)
                break
            except (DeadKernelError, CellTimeoutError) as error:
                late = isinstance(error, CellTimeoutError)
                if late and self.running not in self.overworked:
                    self.waited.add(self.running)
                if self.running in killers:
                    raise
                killers[self.running] = nb.cells[self.running].source
                nb.cells[self.running].source = self.FAILED
        for index, source in killers.items():
            nb.cells[index].source = source
        resources["nbgrader"]["open"] = bool(self.waited)
        return nb, resources

    def preprocess_cell(self, cell, resources, index):
        self.running, self.looked, self.worked = index, 0, self.processor_time()
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.cell_type == "code":  # nbgrader gives no points after a mere warning
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        return cell, resources

    def processor_time(self):
        """Seconds that the kernel has worked so far; 0 if it is gone."""
        try:
            times = psutil.Process(self.km.provisioner.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0
        return times.user + times.system

    async def _async_handle_timeout(self, timeout, cell=None):
        """Whether to go on is asked every `timeout` seconds; None says yes."""
        self.looked += timeout
        if self.processor_time() - self.worked >= self.processor_seconds:
            self.overworked.add(self.running)
        elif self.looked >= self.clock_seconds:
            self.waited.add(self.running)
        else:
            return None
        return await super()._async_handle_timeout(timeout, cell)


class SaveWhatIsDecided(SaveAutoGrades):
    """Leave tests that failed to a person, if some cell waited for too long."""

    def preprocess(self, nb, resources):
        if resources["nbgrader"]["open"]:
            OPEN.append("{student}/{assignment}".format(**resources["nbgrader"]))
        return super().preprocess(nb, resources)

    def _add_score(self, cell, resources):
        super()._add_score(cell, resources)
        place = self.notebook_id, self.assignment_id, self.student_id
        grade = self.gradebook.find_grade(cell.metadata.nbgrader["grade_id"], *place)
        if resources["nbgrader"]["open"] and grade.auto_score == 0:
            grade.auto_score, grade.needs_manual_grade = None, True
            self.gradebook.db.commit()


c.CourseDirectory.course_id = "every_student_is_a_task"
c.Autograde.autograde_preprocessors = [
    {Execute: ExecuteEveryCell, SaveAutoGrades: SaveWhatIsDecided}.get(step, step)
    for step in Autograde().autograde_preprocessors
]

c.Execute.timeout = 1  # second, until one looks how long a cell has worked
c.Execute.interrupt_on_timeout = True
c.Execute.iopub_timeout = 120  # seconds, for the outputs after an interrupt
c.Execute.startup_timeout = 600
# In a notebook exit() ends Python a little later, in some other cell.
EXIT = "globals().update(dict.fromkeys(('exit', 'quit'), __import__('sys').exit))"
c.Execute.extra_arguments = [f"--IPKernelApp.exec_lines={EXIT}"]
c.LimitOutput.max_lines = 200
