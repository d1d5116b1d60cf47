// An Express app.
"use strict";

const express = require("express");

const app = express();
app.use(express.json());
app.get("/", (request, response) => response.json({ status: "ready" }));
app.post("/items", (request, response) => response.json(request.body));
app.listen(Number(process.env.PORT), "127.0.0.1");
