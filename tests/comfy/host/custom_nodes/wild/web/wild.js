console.log("wild");
