"""Inner predictions and outcomes as CSV in, explainerdashboard on a port out; `explainer_beside` runs it elsewhere.

`python explainer_app.py FILE.csv PORT`. The model is a logistic regression over the same inner predictions that LeMoF's
last stage stacks, because explainerdashboard needs a model to call; it gives SHAP values without a sampler.
"""

import sys
import time

import pandas as pd
from explainerdashboard import ClassifierExplainer, ExplainerDashboard
from sklearn.linear_model import LogisticRegression

start = time.perf_counter()
frame = pd.read_csv(sys.argv[1]).set_index("stay_id")
frame.index = frame.index.astype(str)
outcome, features = frame["label"], frame.drop(columns="label")
model = LogisticRegression(max_iter=1000).fit(features, outcome)
explainer = ClassifierExplainer(model, features, outcome, labels=["not long", "long"], shap="linear")
dashboard = ExplainerDashboard(explainer, title="beside", whatif=False, shap_interaction=False)
print(f"built in {time.perf_counter() - start:.2f} s", flush=True)
dashboard.run(port=int(sys.argv[2]), host="127.0.0.1", use_waitress=True)
