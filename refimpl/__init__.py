"""Reference implementation of the book *Every Student Is a Task*.

``tasks`` makes batches of tasks (NumPy), ``maml`` learns to learn them (PyTorch);
``envs`` are worlds to act in (NumPy), ``ppo`` learns to act (TensorFlow);
``students`` is a learner for items and those who answer them (PyTorch);
``own_class`` is for a teacher's own table (NumPy, PyTorch);
``baselines`` are the methods to beat, ``figures`` draws.
"""
