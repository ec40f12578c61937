import sys
from pathlib import Path

# For published_stylegan, which pytest's importlib mode would not find.
sys.path.insert(0, str(Path(__file__).parent))
