# Metres from a photo with an exported file and ONNX Runtime alone; the photo's focal length is 518.9 pixels here.
import json

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
info = json.loads(session.get_modelmeta().custom_metadata_map["depthnet"])
photo = Image.open("photo.jpg").convert("RGB")
scale = (info["input_size"][0] * info["input_size"][1] / photo.width / photo.height) ** 0.5
image = np.asarray(photo.resize((round(scale * photo.width), round(scale * photo.height))), np.float32) / 255
depth = session.run(["depth"], {"image": image.transpose(2, 0, 1)[None]})[0][0, 0] * 518.9 * scale
metres = depth / info["training_focal_px"]
